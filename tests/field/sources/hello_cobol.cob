       IDENTIFICATION DIVISION.
       PROGRAM-ID. X.
       PROCEDURE DIVISION.
           DISPLAY "hi".
           STOP RUN.
