package words

import "testing"

func TestCount(t *testing.T) {
	if got := Count("a b A")["a"]; got != 2 {
		t.Fatalf("a: %d", got)
	}
}
