/* tests/replay/recording.c */
#include "recording.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t
oid_parse(const char *p, const char *end, uint32_t *out)
{
	size_t n = 0;

	if (end - p > 4 && strncmp(p, "iso.", 4) == 0) {
		out[n++] = 1;
		p += 4;
	} else if (p < end && *p == '.')
		p++;
	while (p < end && n < OID_MAX) {
		char *stop;

		if (!isdigit((unsigned char)*p))
			return 0;
		out[n++] = (uint32_t)strtoul(p, &stop, 10);
		p = stop;
		if (p < end && *p++ != '.')
			return 0;
	}
	return n;
}

static int
nibble(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* In place; false: an odd number of digits, or something that is none. */
static bool
hex(char *p, size_t n, size_t *out)
{
	size_t at = 0;
	int high = -1;

	if (n > 1 && p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) {
		p[0] = p[1] = ' ';
	}
	for (size_t i = 0; i < n; i++) {
		int v = nibble((unsigned char)p[i]);

		if (isspace((unsigned char)p[i]) || p[i] == ':')
			continue;
		if (v < 0)
			return false;
		if (high < 0) {
			high = v;
		} else {
			p[at++] = (char)(high << 4 | v);
			high = -1;
		}
	}
	*out = at;
	return high < 0;
}

/* Backslash escapes as Python writes them, in place. */
static size_t
unescape(char *p, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] != '\\' || i + 1 >= n) {
			p[at++] = p[i];
			continue;
		}
		switch (p[++i]) {
		case 'n': p[at++] = '\n'; break;
		case 'r': p[at++] = '\r'; break;
		case 't': p[at++] = '\t'; break;
		case '0': p[at++] = '\0'; break;
		case 'x':
			if (i + 2 < n && nibble((unsigned char)p[i + 1]) >= 0 && nibble((unsigned char)p[i + 2]) >= 0) {
				p[at++] = (char)(nibble((unsigned char)p[i + 1]) << 4 | nibble((unsigned char)p[i + 2]));
				i += 2;
				break;
			}
			p[at++] = '\\';
			p[at++] = 'x';
			break;
		default:
			if (p[i] != '\\' && p[i] != '\'' && p[i] != '"')
				p[at++] = '\\';
			p[at++] = p[i];
		}
	}
	return at;
}

static void
trim(char **p, char **end)
{
	while (*p < *end && isspace((unsigned char)**p))
		(*p)++;
	while (*end > *p && isspace((unsigned char)(*end)[-1]))
		(*end)--;
	**end = '\0';
}

/* The length of what is pairs of digits with blanks between them: a longer word is damaged, and so is what follows. */
static size_t
pairs(const char *p)
{
	size_t n = 0, at = 0;

	for (;;) {
		while (isspace((unsigned char)p[at]))
			at++;
		if (!isxdigit((unsigned char)p[at]) || !isxdigit((unsigned char)p[at + 1]) ||
		    (p[at + 2] != '\0' && !isspace((unsigned char)p[at + 2])))
			return n;
		n = at += 2;
	}
}

static bool
ip4(const char *p, uint8_t out[4])
{
	return sscanf(p, "%hhu.%hhu.%hhu.%hhu", &out[0], &out[1], &out[2], &out[3]) == 4;
}

static bool
snmprec_line(char *line, char *end, struct varbind *v, uint32_t *oid, uint32_t *value, uint8_t ip[4])
{
	char *bar = memchr(line, '|', (size_t)(end - line)), *bar2, *p, *stop, mod;
	unsigned long tag;
	size_t n;

	if (bar == NULL || (bar2 = memchr(bar + 1, '|', (size_t)(end - bar - 1))) == NULL)
		return false;
	if ((v->oid_len = oid_parse(line, bar, oid)) == 0)
		return false;
	tag = strtoul(bar + 1, &stop, 10);
	mod = stop < bar2 ? *stop : '\0';
	if (tag == 0 || tag > 255 || (mod != '\0' && (!islower((unsigned char)mod) || stop + 1 != bar2)))
		return false;
	p = bar2 + 1;
	n = (size_t)(end - p);
	if (mod == 'x' && !hex(p, n, &n))
		return false;
	if (mod == 'e')
		n = unescape(p, n);
	v->type = (uint8_t)tag;
	switch (tag) {
	case VB_INTEGER:
	case VB_COUNTER:
	case VB_GAUGE:
	case VB_TIMETICKS:
	case VB_COUNTER64:
		if (mod == 'x') {
			for (size_t i = 0; i < n; i++)
				v->number = (int64_t)((uint64_t)v->number << 8 | (uint8_t)p[i]);
			return true;
		}
		v->number = strtoll(p, &stop, 10);
		return stop != p;
	case VB_IPADDRESS:
		if (mod != 'x' && ip4(p, ip)) {
			v->octets = ip;
			v->n_octets = 4;
			return true;
		}
		if (n != 4)
			return false;
		__attribute__((fallthrough));
	case VB_OCTETS:
	case VB_OPAQUE:
		v->octets = (const uint8_t *)p;
		v->n_octets = n;
		return true;
	case VB_OID:
		v->value_oid = value;
		v->value_oid_len = oid_parse(p, p + n, value);
		return true;
	case VB_NULL:
		return true;
	default:
		return false;
	}
}

/* `p` to `end`: what stands after the equals sign, several lines perhaps. */
static bool
snmpwalk_value(char *p, char *end, struct varbind *v, uint32_t *value, uint8_t ip[4])
{
	static const char *const ints[] = { "INTEGER", "Integer32", "Gauge32", "Counter32", "Counter64", "Unsigned32", "UInteger32",
		"Timeticks" };
	char *colon, *stop, *paren;
	size_t n;

	trim(&p, &end);
	v->type = VB_OCTETS;
	v->octets = (const uint8_t *)"";
	if (p == end || strcmp(p, "\"\"") == 0)
		return true;
	if (strncmp(p, "No ", 3) == 0 || strcmp(p, "NULL") == 0)
		return false;
	if (*p == '"') {
		v->octets = (const uint8_t *)p + 1;
		v->n_octets = end - p > 1 && end[-1] == '"' ? (size_t)(end - p) - 2 : (size_t)(end - p) - 1;
		return true;
	}
	if ((colon = strchr(p, ':')) == NULL)
		return false;
	*colon = '\0';
	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
		if (strcasecmp(p, ints[i]) != 0)
			continue;
		v->type = VB_INTEGER;
		paren = strchr(colon + 1, '(');
		v->number = strtoll(paren != NULL ? paren + 1 : colon + 1, &stop, 10);
		return true;
	}
	if (strcasecmp(p, "STRING") == 0) {
		p = colon + 1;
		trim(&p, &end);
		if (*p == '"') {
			size_t at = 0;

			p++;
			if (end > p && end[-1] == '"')
				end--;
			n = (size_t)(end - p);
			for (size_t i = 0; i < n; i++) {
				if (p[i] == '\\' && i + 1 < n && (p[i + 1] == '"' || p[i + 1] == '\\'))
					i++;
				p[at++] = p[i];
			}
			end = p + at;
		}
		v->octets = (const uint8_t *)p;
		v->n_octets = (size_t)(end - p);
		return true;
	}
	if (strcasecmp(p, "Hex-STRING") == 0 || strcasecmp(p, "BITS") == 0) {
		p = colon + 1;
		end = p + pairs(p);			/* BITS: names follow the digits */
		if (!hex(p, (size_t)(end - p), &n))
			return false;
		v->octets = (const uint8_t *)p;
		v->n_octets = n;
		return true;
	}
	if (strcasecmp(p, "IpAddress") == 0 || strcasecmp(p, "Network Address") == 0) {
		v->type = VB_IPADDRESS;
		v->octets = ip;
		v->n_octets = 4;
		return ip4(colon + 1, ip);
	}
	if (strcasecmp(p, "OID") == 0) {
		p = colon + 1;
		trim(&p, &end);
		v->type = VB_OID;
		v->octets = NULL;
		v->value_oid = value;
		v->value_oid_len = oid_parse(p, end, value);
		return true;
	}
	return false;
}

/* Where an object begins: ".1.3… = "; *eq is set behind the equals sign. */
static bool
walk_begins(char *p, char *end, char **oid_end, char **eq)
{
	char *q = p;

	if (q < end && *q == '.')
		q++;
	if (end - q > 4 && strncmp(q, "iso.", 4) == 0)
		q += 4;
	if (q >= end || !isdigit((unsigned char)*q))
		return false;
	while (q < end && (isdigit((unsigned char)*q) || *q == '.'))
		q++;
	*oid_end = q;
	while (q < end && *q == ' ')
		q++;
	if (q >= end || *q != '=' || memchr(p, '.', (size_t)(*oid_end - p)) == NULL)
		return false;
	*eq = q + 1;
	return true;
}

static char *
slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	char *p = NULL;
	size_t cap = 0;

	if (f == NULL)
		return NULL;
	for (*n = 0;;) {
		size_t got;

		if (*n + 65537 > cap) {
			char *q = realloc(p, cap = 2 * cap + 131072);

			if (q == NULL) {
				free(p);
				fclose(f);
				return NULL;
			}
			p = q;
		}
		if ((got = fread(p + *n, 1, cap - *n - 1, f)) == 0)
			break;
		*n += got;
	}
	p[*n] = '\0';
	fclose(f);
	return p;
}

int
recording_read(const char *path, recording_fn *each, void *arg, unsigned *skipped)
{
	size_t len = strlen(path), n;
	bool walk = len > 9 && strcmp(path + len - 9, ".snmpwalk") == 0;
	uint32_t oid[OID_MAX], value[OID_MAX];
	uint8_t ip[4];
	char *all = slurp(path, &n), *p = all, *end;

	if (all == NULL)
		return errno != 0 ? -errno : -ENOMEM;
	end = all + n;
	*skipped = 0;
	while (p < end) {
		char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl != NULL ? nl : end, *next = stop < end ? stop + 1 : end;
		struct varbind v = { .oid = oid };
		bool ok;

		if (walk) {
			char *oid_end, *eq, *a, *b;

			if (!walk_begins(p, stop, &oid_end, &eq)) {
				p = next;
				++*skipped;
				continue;
			}
			while (next < end) {		/* the lines that go on */
				char *nl2 = memchr(next, '\n', (size_t)(end - next)), *stop2 = nl2 != NULL ? nl2 : end;

				if (walk_begins(next, stop2, &a, &b))
					break;
				stop = stop2;
				next = stop2 < end ? stop2 + 1 : end;
			}
			*stop = '\0';
			v.oid_len = oid_parse(p, oid_end, oid);
			ok = v.oid_len > 0 && snmpwalk_value(eq, stop, &v, value, ip);
		} else {
			if (stop > p && stop[-1] == '\r')
				stop--;
			*stop = '\0';
			ok = snmprec_line(p, stop, &v, oid, value, ip);
		}
		if (ok)
			each(arg, &v);
		else
			++*skipped;
		p = next;
	}
	free(all);
	return 0;
}
