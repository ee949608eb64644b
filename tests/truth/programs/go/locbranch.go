// One call, reached with one name or another by a jump.
// needs: tz
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	var name string
	if len(os.Args) > 1 {
		fmt.Println("east")
		name = "Asia/Tokyo"
	} else {
		fmt.Println("west")
		name = "Europe/Berlin"
	}
	zone, err := time.LoadLocation(name)
	fmt.Println(zone, err)
}
