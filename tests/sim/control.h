/* tests/sim/control.h: the control socket: one command a connection, answered by lines and "ok MICROSECONDS" or "error WHY". */
#ifndef CAMPUS_CONTROL_H
#define CAMPUS_CONTROL_H
#include <stdbool.h>

/* `log`: a file that gets each command with its time; NULL: none. Returns the descriptor, or exits with a message. */
int	control_open(const char *path, const char *log);
/* One connection. true: the campus is to end. */
bool	control_serve(int listener);
#endif
