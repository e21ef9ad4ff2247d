/* agent/base/log.c: lines to stderr. One write(2) per line, so that lines of several processes never mix. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define LOG_LINE_MAX 1024

static const char *log_who = "camtrapd";
static enum log_level log_max = LOG_LEVEL_INFO;
static bool log_journal;

void
log_init(const char *who, enum log_level level)
{
	log_who = who;
	log_max = level;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

static void __attribute__((format(printf, 3, 0)))
log_line(enum log_level level, int err, const char *fmt, va_list ap)
{
	static const int syslog_priority[] = { 3, 4, 6, 7 };
	static const char *const word[] = { "error: ", "warning: ", "", "debug: " };
	char line[LOG_LINE_MAX], body[2 * LOG_LINE_MAX], stamp[WALL_TEXT];
	size_t n, len;

	if (level > log_max)
		return;
	if (log_journal)
		n = (size_t)snprintf(line, sizeof line, "<%d>%s: ", syslog_priority[level], log_who);
	else
		n = (size_t)snprintf(line, sizeof line, "%s %s: ", wall_text(wall_now(), stamp), log_who);
	n += (size_t)snprintf(line + n, sizeof line - n, "%s", word[level]);
	vsnprintf(body, sizeof body, fmt, ap);
	if (err != 0 && (len = strlen(body)) + 2 < sizeof body)
		snprintf(body + len, sizeof body - len, ": %s", strerror(err));
	for (char *p = body; *p != '\0'; p++)	/* one line is one line, whatever a library put into its text */
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	n += text_cut(line + n, sizeof line - n - 1, body);
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return;			/* nowhere left to say it */
}

#define LOG_FUNCTION(name, level, err)			\
	void name(const char *fmt, ...)			\
	{						\
		int saved = errno;			\
		va_list ap;				\
							\
		va_start(ap, fmt);			\
		log_line(level, (err) ? saved : 0, fmt, ap); \
		va_end(ap);				\
		errno = saved;				\
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR, 0)
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN, 1)
LOG_FUNCTION(log_warnx, LOG_LEVEL_WARN, 0)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO, 0)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG, 0)

bool
log_limit(long long *last_ms)
{
	long long now = mono_now().ms;

	if (*last_ms != 0 && now - *last_ms < 1000)
		return false;
	*last_ms = now;
	return true;
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_LEVEL_ERROR, 0, fmt, ap);
	va_end(ap);
	exit(1);
}
