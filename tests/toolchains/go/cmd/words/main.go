package main

import (
	"fmt"

	"example.test/words"
)

func main() {
	fmt.Println(words.Count("one two two")["two"])
}
