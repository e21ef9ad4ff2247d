/* agent/model/policy.h: which makers are restricted, by whose decision; and evidence about one device held against it. Pure. */
#ifndef CAMTRAPD_POLICY_H
#define CAMTRAPD_POLICY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/buf.h"
#include "model/enums.h"
#include "model/mac.h"
#include "model/registry.h"

enum basis { BASIS_STATUTE = 1, BASIS_CRITERION, BASIS_OPERATOR };
/* organisation: the registry's name, whole, case and blanks and dots folded. text: a word in LLDP/CDP/MED text.
 * prefix: a MAC block of the operator's own ("44:19:b6" to 48 bits). */
enum rule_kind { RULE_ORGANISATION = 1, RULE_TEXT, RULE_PREFIX };

/* One line of a policy file. All texts are owned by the set. */
struct policy_rule {
	char		*vendor;	/* the name people know: "Hikvision" */
	enum rule_kind	 kind;
	char		*match;
	enum basis	 basis;
	char		*source;	/* the legal or public source */
	char		*dated;		/* "2018-08-13" */
	bool		 cameras;	/* nearly all this maker's products are cameras and recorders: the block alone is enough */
};

struct policy_set {
	char			*name;		/* "uk-2022" */
	char			*title, *dated;
	struct policy_rule	*rules;
	size_t			 n;
};

#define POLICY_SETS_MAX 64		/* the reader of the configuration refuses more, with the place */
#define POLICY_RULES_MAX 20000		/* of all sets: each device is held against each rule */

struct policies { struct policy_set *sets; size_t n; };

void	policies_free(struct policies *p);
void	policies_encode(struct buf *b, const struct policies *p);
/* 0; -EBADMSG: not policies, more than the limits above, or out of memory; `out` is empty then. The caller frees it. */
int	policies_decode(struct msg_in *m, struct policies *out);

/* One thing we know about a device. `source`: "registry", "lldp", "lldp-med", "cdp", "dhcp", "operator"; `key`: "organisation", "sysName",
 * "sysDesc", "maker", "model", "serial", "chassis" …; value is clean text. */
struct evidence { char source[16], key[16]; char value[256]; struct wall at; };

#define EVIDENCE_MAX 16
#define POLICY_NAMES_MAX 8

struct verdict_of_maker {
	bool		 restricted;
	bool		 conflict;	/* registry and the device's own words name different makers */
	char		 vendor[49];
	const char	*policies[POLICY_NAMES_MAX];	/* names of the sets that match, borrowed from `policies` */
	size_t		 n_policies;
	enum confidence	 confidence;
	char		 reason[128];	/* one line */
};

/* Puts evidence about `mac` together. Pure. confirmed: the block of a camera maker, or block and the device's words agree;
 * probable: block of a maker of everything, or a word of a restricted maker with a locally administered address;
 * possible: a word alone against another maker's block (and `conflict`). */
struct verdict_of_maker identify(const struct policies *p, const struct registry *r, struct mac mac,
    const struct evidence *evidence, size_t n);

/* Names equal when case, blanks, dots and commas are folded (vendors.md trap 8). */
bool	organisation_eq(const char *a, const char *b);
#endif
