// A wrapper that is inlined, which names the zone.
// needs: tz
// zones: Europe/Berlin
package main

import (
	"fmt"
	"time"
)

func berlin() (*time.Location, error) { return time.LoadLocation("Europe/Berlin") }

func main() { fmt.Println(berlin()) }
