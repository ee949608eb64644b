// A constant behind another call, so that a register of the first must not be taken for the argument.
// needs: tz
package main

import (
	"fmt"
	"os"
	"time"
)

//go:noinline
func name(text string) string { return os.Getenv(text) }

func main() {
	zone, err := time.LoadLocation(name("ZONE_NAME"))
	fmt.Println(zone, err)
}
