// Called by go and defer, which keep the function and its argument.
// needs: tz
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	zone, err := time.LoadLocation("Europe/Berlin")
	fmt.Println(zone, err)
	go time.LoadLocation(os.Args[1])
	defer time.LoadLocation(os.Args[2])
}
