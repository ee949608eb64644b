// The function is kept in a variable; its direct call names one zone, the other call any.
// needs: tz
package main

import (
	"fmt"
	"os"
	"time"
)

var load = time.LoadLocation

func main() {
	zone, err := time.LoadLocation("Europe/Berlin")
	fmt.Println(zone, err)
	zone, err = load(os.Args[1])
	fmt.Println(zone, err)
}
