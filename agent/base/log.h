/* agent/base/log.h: one line per event a person may act on, to stderr (journal prefixes under systemd).
 * Text from the network is passed through text_clean() before it comes here. Lines are cut at 1 KiB. */
#ifndef CAMTRAPD_LOG_H
#define CAMTRAPD_LOG_H
#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `who` (borrowed for ever) names the process in each line, such as "poller 1". */
void	log_init(const char *who, enum log_level level);

/* Something cannot be done at all; the process may end soon. */
void	log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A person should look; ends with the text of errno. */
void	log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A person should look. */
void	log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A change a person may want to know. */
void	log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* For whoever debugs us. */
void	log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* True at most once a second per `*last_ms` (a static of the caller): for causes that a peer can repeat at will. */
bool	log_limit(long long *last_ms);

/* Out of memory or of descriptors at start: says so and ends with status 1. */
void	fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#endif
