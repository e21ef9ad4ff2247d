/* agent/proc/sd_notify.h: what systemd(1) hears from the parent (sd_notify(3)), without its library. Not under systemd: nothing. */
#ifndef CAMTRAPD_SD_NOTIFY_H
#define CAMTRAPD_SD_NOTIFY_H
#include <stdint.h>

/* Takes NOTIFY_SOCKET and WATCHDOG_USEC out of the environment, so that no other process inherits them. */
void	sd_init(void);
/* One datagram of NAME=VALUE lines. Control characters within a value are the caller's mistake, see sd_status(). */
void	sd_say(const char *lines);
/* STATUS=, with control characters made harmless: a line of our choosing must not become two. */
void	sd_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Milliseconds within which systemd wants to hear WATCHDOG=1; 0: it does not. */
int64_t	sd_watchdog_ms(void);
#endif
