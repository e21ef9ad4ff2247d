/* tests/sim/mibs.h: what each switch of the network says of itself over SNMP. */
#ifndef CAMPUS_MIBS_H
#define CAMPUS_MIBS_H
#include "network.h"

/* The objects of a context, made anew when something changed; NULL: the switch has no such context. */
struct objects *mibs_objects(int s, const char *context, size_t n);
#endif
