// Files that the host would run or obey later (aisbx/data/danger.def).
#pragma once

// Who obeys what lies at a path of the workspace; NULL: nobody.
const char *danger_of(const char *path);
