// Loads a zone through another module.
// needs: tz
package main

import (
	"fmt"
	"os"

	"example.com/zones"
)

func main() { fmt.Println(zones.Load(os.Args[1])) }
