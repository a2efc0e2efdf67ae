# listing.txt -> listing.csv as one writes it offhand: fields between blanks, the rest is the path, nothing is quoted.
{
    path = $9
    for (i = 10; i <= NF; i++) path = path " " $i
    printf "%s,%s,%s,%s,%s,%s %2s %s,%s\n", $1, $2, $3, $4, $5, $6, $7, $8, path
}
