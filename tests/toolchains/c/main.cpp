#include <iostream>
extern "C" {
#include "count.h"
}
int main() { std::cout << count("one two two", "two") << "\n"; }
