/* agent/cli/diagnose.h: the document `doctor`: what the engine found, and what the configuration alone shows. Pure. */
#ifndef CAMTRAPD_CLI_DIAGNOSE_H
#define CAMTRAPD_CLI_DIAGNOSE_H
#include <jansson.h>

#include "config/conf.h"

/* All borrowed. */
struct anamnesis {
	const json_t		*engine;	/* its answer; NULL: none, `asked` and `why` say it */
	int			 asked;		/* exit code of the question (cli/client.h) */
	const char		*why;
	const char		*conf_path;
	const struct conf	*conf;		/* NULL: it has mistakes or cannot be read */
	const struct strlist	*mistakes;	/* "FILE:LINE: text" */
	const char		*unread;	/* why it cannot be read; NULL: it was */
	bool			 registry_readable;	/* one of its files at least */
};

/* {"version","daemon","configuration","findings","omitted"}; errors come first. NULL: out of memory. */
json_t	*diagnose(const struct anamnesis *a);
/* The exit code: 3, 4 or 5 where the daemon was not heard; 1 with an error or a warning; else 0. */
int	 diagnosis_status(const json_t *doc, int asked);
#endif
