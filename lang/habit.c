// Looking up what another tool's word is here.
#include "lang/habit.h"

#include <string.h>

enum habit_before { ANY, NUMBER, STRING, COMMA, COMPARISON };

static const struct habit {
    const char *word;
    enum habit_before before;
    enum habit_place place;
    const char *help;
} habits[] = {
#define HABIT(word, before, place, help) {word, before, HABIT_##place, help},
#include "lang/habits.def"
};

const char *habit_help(struct str word, struct str before, enum habit_place place)
{
    bool stands[] = {
        [ANY] = true,
        [NUMBER] = before.length && before.text[0] >= '0' && before.text[0] <= '9',
        [STRING] = before.length && before.text[0] == '"',
        [COMMA] = str_is(before, ","),
        [COMPARISON] = str_is(before, "==") || str_is(before, "!="),
    };
    for (size_t i = 0; i < sizeof habits / sizeof *habits; i++) {
        size_t length = strlen(habits[i].word);
        bool start = habits[i].word[length - 1] == '*';
        if (start ? word.length < length - 1 || memcmp(word.text, habits[i].word, length - 1) != 0
                  : !str_is(word, habits[i].word))
            continue;
        if (habits[i].place != HABIT_ANYWHERE && habits[i].place != place)
            continue;
        if (stands[habits[i].before])
            return habits[i].help;
    }
    return NULL;
}
