package main
import ("fmt";"os/user";"time";"net/http")
func main(){ l,err:=time.LoadLocation("Europe/Berlin"); fmt.Println(l,err); u,err:=user.Current(); fmt.Println(u.Username,err); _,err=http.Get("https://127.0.0.1:1/"); fmt.Println(err) }
