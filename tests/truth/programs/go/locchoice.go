// The name is one of two that the program has, which the call does not tell.
// needs: tz
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	name := "Europe/Berlin"
	if len(os.Args) > 1 {
		name = "Asia/Tokyo"
	}
	zone, err := time.LoadLocation(name)
	fmt.Println(zone, err)
}
