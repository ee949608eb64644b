// needs:
// asks: tz
package main

import "log"

func main() { log.Println("hello") }
