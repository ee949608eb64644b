// One call names its zone, another does not.
// needs: tz
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	first, err := time.LoadLocation("Europe/Berlin")
	fmt.Println(first, err)
	second, err := time.LoadLocation(os.Args[1])
	fmt.Println(second, err)
}
