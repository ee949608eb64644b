import times, httpclient
echo now().utc.year > 2000
try: discard newHttpClient().getContent("https://127.0.0.1:1/")
except CatchableError as e: echo e.msg
