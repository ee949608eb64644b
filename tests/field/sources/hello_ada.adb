with Ada.Text_IO; procedure X is begin Ada.Text_IO.Put_Line("hi"); end X;
