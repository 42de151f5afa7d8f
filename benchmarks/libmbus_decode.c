/* The loop that mbus_decode.py measures: libmbus from octets to normalised records.
   Standard input: a telegram a line in hexadecimal. Argument: CPU seconds. Standard output: telegrams per CPU second. */

#include <mbus/mbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 4096, LONGEST = 300 };

static unsigned char octets[MOST][LONGEST];
static size_t length[MOST];

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static size_t read_telegrams(void)
{
    char line[2 * LONGEST + 2];
    size_t count = 0;
    while (count < MOST && fgets(line, sizeof line, stdin)) {
        length[count] = strlen(line) / 2;
        for (size_t i = 0; i < length[count]; i++) {
            unsigned int octet;
            sscanf(line + 2 * i, "%2x", &octet);
            octets[count][i] = (unsigned char)octet;
        }
        count++;
    }
    return count;
}

static void decode(size_t which)
{
    mbus_frame frame;
    memset(&frame, 0, sizeof frame);
    if (mbus_parse(&frame, octets[which], length[which]) != 0)
        return;
    mbus_frame_data *data = mbus_frame_data_new();
    if (mbus_frame_data_parse(&frame, data) == 0)
        for (mbus_data_record *record = data->data_var.record; record; record = record->next) {
            mbus_record *normalised = mbus_parse_variable_record(record);
            if (normalised)
                mbus_record_free(normalised);
        }
    mbus_frame_data_free(data);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 1.0, began, spent;
    size_t count = read_telegrams(), done = 0;
    if (count == 0)
        return 1;
    began = cpu_seconds();
    do {
        for (size_t i = 0; i < count; i++)
            decode(i);
        done += count;
        spent = cpu_seconds() - began;
    } while (spent < seconds);
    printf("%.0f\n", done / spent);
    return 0;
}
