program x
print *, 'hi', sum([1.0,2.0])
end program
