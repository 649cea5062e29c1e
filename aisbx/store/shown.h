// Text of strangers, as a terminal may have it: paths and names with control characters and what is no UTF-8.
#pragma once

// In one of four buffers that take turns: what a terminal would obey, or could not show, as \x1b.
const char *shown(const char *text);
