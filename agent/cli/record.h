/* agent/cli/record.h: what a switch answered, as a .snmprec file (OID|TAG|VALUE, in order of OID): for a report about a switch
 * that is not understood, and for tests. It holds what was asked for in a poll: no credential is among that, and a text in
 * which a secret of ours occurs is left out. */
#ifndef CAMTRAPD_CLI_RECORD_H
#define CAMTRAPD_CLI_RECORD_H
#include "poller/varbind.h"

struct record;				/* opaque */

/* `secrets` (n of them, borrowed for the record's life; NULL ones are passed over). NULL: out of memory. The caller frees it. */
struct record	*record_new(const char *const *secrets, size_t n);
/* Takes one object; exceptions (noSuchObject …) are no objects. A snmp_varbind_fn: `arg` is the record. */
void		 record_put(void *arg, const struct varbind *v);
/* Writes a new file, mode 0600. 0, or a negative errno-like code (-EEXIST: there is one already). *objects: how many are in it; *withheld: how
 * many were left out for a secret. */
int		 record_write(struct record *r, const char *path, size_t *objects, size_t *withheld);
void		 record_free(struct record *r);		/* NULL is fine */
#endif
