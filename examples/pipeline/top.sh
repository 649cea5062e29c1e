# The addresses with most requests, and how many of those failed.    sh top.sh LOG
set -eu
cut -d' ' -f1 "$1" | sort | uniq -c | sort -rn -k1,1 | head -n 5 |
while read -r count address; do
    failed=$(grep -F "$address " "$1" | awk '$9 >= 400' | wc -l)
    printf '%-15s %4d requests, %d failed\n' "$address" "$count" "$failed"
done
