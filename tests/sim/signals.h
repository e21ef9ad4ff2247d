/* tests/sim/signals.h: what switches say unasked: linkUp and linkDown traps, and the syslog lines of several makers. */
#ifndef CAMPUS_SIGNALS_H
#define CAMPUS_SIGNALS_H
#include <stdbool.h>

/* "ADDRESS:PORT" or NULL; false: not such a thing. */
bool	signals_to(const char *traps, const char *syslog, const char *community);
void	signals_link(int s, int port, bool up);
#endif
