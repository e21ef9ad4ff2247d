/* tests/sim/recording.h: the walk of a real switch, as .snmprec or as what snmpwalk -On prints, into objects. */
#ifndef CAMPUS_RECORDING_H
#define CAMPUS_RECORDING_H
#include <stddef.h>

#include "objects.h"

/* Lines that cannot be understood are counted in *bad. 0, or -1: no such file (errno). */
int	recording_read(const char *path, struct objects *out, size_t *bad);
#endif
