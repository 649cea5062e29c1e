// A policy's own words in pages for people: nothing in them is markup.
#pragma once

#include "lang/arena.h"

void markdown_add(struct text *, struct str); // CommonMark, on one line
void html_add(struct text *, struct str);     // in elements and in quoted attributes
