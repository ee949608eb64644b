// needs:
// zones:
package main

import (
	"fmt"
	"time"
)

func main() {
	zone, err := time.LoadLocation("UTC")
	fmt.Println(zone, err)
}
