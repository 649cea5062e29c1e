# Starts Redis, waits until it answers, and counts words in it.
redis-server --port 6379 --save '' --daemonize no > log 2>&1 &
until redis-cli ping 2> /dev/null | grep -q PONG; do
    kill -0 $! 2> /dev/null || { cat log; exit 1; }
    sleep 0.05
done
for word in a rose is a rose; do redis-cli zincrby words 1 "$word" > /dev/null; done
redis-cli zrange words 0 -1 withscores | paste -d ' ' - -
redis-cli shutdown nosave 2> /dev/null
wait
