// A wrapper that is not inlined gives its parameter on.
// needs: tz
package main

import (
	"fmt"
	"time"
)

//go:noinline
func load(name string) (*time.Location, error) { return time.LoadLocation(name) }

func main() { fmt.Println(load("Europe/Berlin")) }
