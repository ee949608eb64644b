let () = print_endline (string_of_int (Sys.command "true"))
