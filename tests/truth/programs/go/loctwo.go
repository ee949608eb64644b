// needs: tz
// zones: America/Argentina/ComodRivadavia Asia/Tokyo
package main

import (
	"fmt"
	"os"
	"time"
)

func show(name string, zone *time.Location, err error) {
	fmt.Println(name, zone, err)
	if err != nil {
		os.Exit(1)
	}
}

func main() {
	first, err := time.LoadLocation("Asia/Tokyo")
	show("first", first, err)
	second, err := time.LoadLocation("America/Argentina/ComodRivadavia")
	show("second", second, err)
}
