/* agent/model/policy.c: rules held against what is known of one device. */
#include "model/policy.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"

#define RULE_TEXT_MAX 256

static void
set_free(struct policy_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->rules[i].vendor);
		free(s->rules[i].match);
		free(s->rules[i].source);
		free(s->rules[i].dated);
	}
	free(s->rules);
	free(s->name);
	free(s->title);
	free(s->dated);
}

void
policies_free(struct policies *p)
{
	for (size_t i = 0; i < p->n; i++)
		set_free(&p->sets[i]);
	free(p->sets);
	*p = (struct policies){ 0 };
}

void
policies_encode(struct buf *b, const struct policies *p)
{
	assert(p->n <= POLICY_SETS_MAX);
	put_u16(b, (uint16_t)p->n);
	for (size_t i = 0; i < p->n; i++) {
		const struct policy_set *s = &p->sets[i];

		put_text(b, s->name);
		put_text(b, s->title);
		put_text(b, s->dated);
		put_u32(b, (uint32_t)s->n);
		for (size_t k = 0; k < s->n; k++) {
			const struct policy_rule *r = &s->rules[k];

			put_text(b, r->vendor);
			put_u8(b, (uint8_t)r->kind);
			put_text(b, r->match);
			put_u8(b, (uint8_t)r->basis);
			put_text(b, r->source);
			put_text(b, r->dated);
			put_u8(b, r->cameras);
		}
	}
}

/* At most `room` rules. */
static void
set_decode(struct msg_in *m, struct policy_set *s, size_t room)
{
	uint32_t n;

	s->name = get_text(m, RULE_TEXT_MAX);
	s->title = get_text(m, RULE_TEXT_MAX * 4);
	s->dated = get_text(m, RULE_TEXT_MAX);
	n = get_u32(m);
	if (m->bad || n > room || n > msg_in_left(m) || (n > 0 && (s->rules = calloc(n, sizeof *s->rules)) == NULL)) {
		m->bad = true;
		return;
	}
	for (s->n = 0; s->n < n && !m->bad; s->n++) {
		struct policy_rule *r = &s->rules[s->n];

		r->vendor = get_text(m, RULE_TEXT_MAX);
		r->kind = get_u8(m);
		r->match = get_text(m, RULE_TEXT_MAX);
		r->basis = get_u8(m);
		r->source = get_text(m, RULE_TEXT_MAX * 4);
		r->dated = get_text(m, RULE_TEXT_MAX);
		r->cameras = get_u8(m) != 0;
		if (r->kind < RULE_ORGANISATION || r->kind > RULE_PREFIX || r->basis < BASIS_STATUTE || r->basis > BASIS_OPERATOR)
			m->bad = true;
	}
}

int
policies_decode(struct msg_in *m, struct policies *out)
{
	uint16_t n = get_u16(m);
	size_t rules = 0;

	*out = (struct policies){ 0 };
	if (m->bad || n > POLICY_SETS_MAX || (n > 0 && (out->sets = calloc(n, sizeof *out->sets)) == NULL)) {
		m->bad = true;
		return -EBADMSG;
	}
	for (out->n = 0; out->n < n && !m->bad; out->n++) {
		set_decode(m, &out->sets[out->n], POLICY_RULES_MAX - rules);
		rules += out->sets[out->n].n;
	}
	if (m->bad) {
		policies_free(out);
		return -EBADMSG;
	}
	return 0;
}

/* The next character that counts in a name; '\0' at the end. */
static int
folded(const char **p)
{
	while (**p != '\0' && strchr(" .,", **p) != NULL)
		(*p)++;
	return **p == '\0' ? '\0' : tolower((unsigned char)*(*p)++);
}

bool
organisation_eq(const char *a, const char *b)
{
	int x, y;

	do {
		x = folded(&a);
		y = folded(&b);
	} while (x == y && x != '\0');
	return x == y;
}

/* `word` in `text` with no letter or digit right before or behind it, case folded. */
static bool
has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	if (n == 0)
		return false;
	for (const char *p = text; (p = strcasestr(p, word)) != NULL; p++)
		if ((p == text || !isalnum((unsigned char)p[-1])) && !isalnum((unsigned char)p[n]))
			return true;
	return false;
}

/* A block of the operator's own: 6 to 12 hexadecimal digits in any spelling. */
static bool
has_prefix(struct mac mac, const char *prefix)
{
	char hex[13];
	size_t n = 0;

	snprintf(hex, sizeof hex, "%012llx", (unsigned long long)mac_u64(mac));
	for (; *prefix != '\0'; prefix++) {
		if (strchr(":-.", *prefix) != NULL)
			continue;
		if (n == 12 || tolower((unsigned char)*prefix) != hex[n++])
			return false;
	}
	return n >= 6;
}

struct held {				/* what the rules say so far */
	const struct policy_rule *by_block, *by_word;
	const struct evidence	 *word;
	uint64_t		  sets;		/* bits, one per set */
};

static const struct evidence *
word_in(const struct policy_rule *r, const struct evidence *ev, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(ev[i].source, "registry") != 0 && has_word(ev[i].value, r->match))
			return &ev[i];
	return NULL;
}

static void
hold_against(struct held *h, const struct policy_rule *r, unsigned set, const char *organisation, struct mac mac,
    const struct evidence *ev, size_t n)
{
	const struct evidence *word;

	switch (r->kind) {
	case RULE_ORGANISATION:
		if (organisation == NULL || !organisation_eq(organisation, r->match))
			return;
		break;
	case RULE_PREFIX:
		if (!has_prefix(mac, r->match))
			return;
		break;
	case RULE_TEXT:
		if ((word = word_in(r, ev, n)) == NULL)
			return;
		if (h->by_word == NULL)
			h->by_word = r, h->word = word;
		h->sets |= 1ull << set;
		return;
	}
	if (h->by_block == NULL || (r->cameras && !h->by_block->cameras))
		h->by_block = r;
	h->sets |= 1ull << set;
}

/* The same maker by two names, such as "Ezviz (Hikvision)" and "Hikvision". */
static bool
same_maker(const char *a, const char *b)
{
	return strcasestr(a, b) != NULL || strcasestr(b, a) != NULL;
}

/* Its own words name another maker: one of another line, or a MED manufacturer that is neither vendor nor organisation. */
static bool
speaks_of_another(const struct held *h, const char *organisation, const struct evidence *ev, size_t n)
{
	if (h->by_word != NULL)
		return !same_maker(h->by_word->vendor, h->by_block->vendor);
	for (size_t i = 0; i < n; i++)
		if (strcmp(ev[i].source, "lldp-med") == 0 && strcmp(ev[i].key, "maker") == 0 &&
		    !same_maker(ev[i].value, h->by_block->vendor) && (organisation == NULL || !same_maker(ev[i].value, organisation)))
			return true;
	return false;
}

struct verdict_of_maker
identify(const struct policies *p, const struct registry *r, struct mac mac, const struct evidence *evidence, size_t n)
{
	struct registry_match m = registry_lookup(r, mac);
	struct verdict_of_maker v = { 0 };
	struct held h = { 0 };
	char value[41], owner[31], organisation[81] = "";	/* cut at characters: the reason stays UTF-8 */

	assert(p->n <= POLICY_SETS_MAX);		/* a bit of h.sets each */
	for (size_t i = 0; i < p->n; i++)
		for (size_t k = 0; k < p->sets[i].n; k++)
			hold_against(&h, &p->sets[i].rules[k], (unsigned)i, m.organisation, mac, evidence, n);
	if (h.sets == 0)
		return v;
	v.restricted = true;
	for (size_t i = 0; i < p->n && v.n_policies < POLICY_NAMES_MAX; i++)
		if ((h.sets & 1ull << i) != 0)
			v.policies[v.n_policies++] = p->sets[i].name;
	text_cut(v.vendor, sizeof v.vendor, h.by_block != NULL ? h.by_block->vendor : h.by_word->vendor);
	if (h.by_block != NULL) {
		assert(h.by_block->kind == RULE_PREFIX || m.organisation != NULL);
		if (m.organisation != NULL)
			text_cut(organisation, sizeof organisation, m.organisation);
		v.conflict = speaks_of_another(&h, m.organisation, evidence, n);
		v.confidence = h.by_block->cameras || (h.by_word != NULL && !v.conflict) ? CONFIDENCE_CONFIRMED : CONFIDENCE_PROBABLE;
		if (h.by_block->kind == RULE_PREFIX)
			snprintf(v.reason, sizeof v.reason, "block %.20s is on the operator's list", h.by_block->match);
		else
			snprintf(v.reason, sizeof v.reason, "block %02x:%02x:%02x%s (MA-%c) is %s", mac.b[0], mac.b[1], mac.b[2],
			    m.bits == 24 ? "" : "…", m.bits == 24 ? 'L' : m.bits == 28 ? 'M' : 'S', organisation);
	} else {
		v.conflict = m.organisation != NULL;
		v.confidence = mac_is_local(mac) ? CONFIDENCE_PROBABLE : CONFIDENCE_POSSIBLE;
		text_cut(value, sizeof value, h.word->value);
		text_cut(owner, sizeof owner, mac_is_local(mac) ? "locally administered" : m.organisation != NULL ? m.organisation : "unregistered");
		snprintf(v.reason, sizeof v.reason, "calls itself \"%s\" (%.10s %.10s); the address is %s", value, h.word->source, h.word->key,
		    owner);
	}
	return v;
}
