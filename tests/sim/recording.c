/* tests/sim/recording.c: see recording.h; the formats are described beside the recordings. */
#include "recording.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ber.h"

enum { VALUE_MAX = 900 };

struct value { uint8_t tag, v[VALUE_MAX]; size_t n; };

static int
hex_digit(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

static bool
hex_read(const char *p, struct value *v)
{
	for (v->n = 0; *p != '\0' && v->n < VALUE_MAX; v->n++) {
		while (isspace((unsigned char)*p))
			p++;
		if (*p == '\0')
			return true;
		if (hex_digit((unsigned char)p[0]) < 0 || hex_digit((unsigned char)p[1]) < 0)
			return false;
		v->v[v->n] = (uint8_t)(hex_digit((unsigned char)p[0]) << 4 | hex_digit((unsigned char)p[1]));
		p += 2;
	}
	return *p == '\0';
}

static bool
text_read(const char *p, size_t n, struct value *v)
{
	v->n = n;
	if (n > VALUE_MAX)
		return false;
	memcpy(v->v, p, n);
	return true;
}

/* "\x0a", "\n", "\\" as Python writes them. */
static bool
escaped_read(const char *p, struct value *v)
{
	for (v->n = 0; *p != '\0' && v->n < VALUE_MAX; v->n++) {
		if (*p != '\\') {
			v->v[v->n] = (uint8_t)*p++;
		} else if (p[1] == 'x' && hex_digit((unsigned char)p[2]) >= 0 && hex_digit((unsigned char)p[3]) >= 0) {
			v->v[v->n] = (uint8_t)(hex_digit((unsigned char)p[2]) << 4 | hex_digit((unsigned char)p[3]));
			p += 4;
		} else if (p[1] != '\0') {
			v->v[v->n] = (uint8_t)(p[1] == 'n' ? '\n' : p[1] == 'r' ? '\r' : p[1] == 't' ? '\t' : p[1]);
			p += 2;
		} else {
			return false;
		}
	}
	return *p == '\0';
}

static bool
number_read(const char *p, struct value *v)
{
	char *end;
	long long x = *p == '-' ? strtoll(p, &end, 10) : (long long)strtoull(p, &end, 10);

	if (end == p)
		return false;
	v->n = ber_number_code(x, v->v);
	if (x < 0 && *p != '-') {		/* 64 bits without a sign */
		memmove(v->v + 1, v->v, v->n);
		v->v[0] = 0;
		v->n++;
	}
	return true;
}

static bool
address_read(const char *p, struct value *v)
{
	v->n = 4;
	return inet_pton(AF_INET, p, v->v) == 1;
}

/* By the ASN.1 tag. */
static bool
value_read(const char *p, int form, struct value *v)
{
	if (form == 'x')
		return hex_read(p, v);
	switch (v->tag) {
	case BER_OCTETS:
	case 0x44:
		return form == 'e' ? escaped_read(p, v) : text_read(p, strlen(p), v);
	case BER_NULL:
		v->n = 0;
		return true;
	case BER_OID:
		return (v->n = ber_oid_text(p, v->v, VALUE_MAX)) > 0;
	case BER_IPADDRESS:
		return address_read(p, v);
	default:
		return number_read(p, v);
	}
}

static bool
put(struct objects *out, const char *oid, const struct value *v)
{
	struct prefix p;

	if ((p.n = ber_oid_text(oid, p.ber, sizeof p.ber)) == 0)
		return false;
	object_put(out, &p, NULL, 0, v->tag, v->v, v->n);
	return true;
}

/* OID|TAG|VALUE */
static bool
snmprec_line(char *line, struct objects *out)
{
	char *tag = strchr(line, '|'), *text = tag != NULL ? strchr(tag + 1, '|') : NULL, *end;
	struct value v;

	if (text == NULL)
		return false;
	*tag++ = *text++ = '\0';
	v.tag = (uint8_t)strtoul(tag, &end, 10);
	return strchr(end, ':') == NULL && value_read(text, *end, &v) && put(out, line, &v);
}

static const struct { const char *name; uint8_t tag; } types[] = { { "INTEGER", BER_INTEGER }, { "STRING", BER_OCTETS },
	{ "Hex-STRING", BER_OCTETS }, { "OID", BER_OID }, { "IpAddress", BER_IPADDRESS }, { "Network Address", BER_IPADDRESS },
	{ "Counter32", BER_COUNTER }, { "Gauge32", BER_GAUGE }, { "Timeticks", BER_TIMETICKS }, { "Counter64", 0x46 } };

static bool
quoted_read(const char *p, struct value *v)
{
	size_t n = strlen(p);

	if (n >= 2 && p[0] == '"' && p[n - 1] == '"')
		return text_read(p + 1, n - 2, v);
	return text_read(p, n, v);
}

/* .1.3.6.1… = TYPE: value */
static bool
walk_line(char *line, struct objects *out)
{
	char *value = strstr(line, " = "), *colon;
	struct value v = { 0 };

	if (value == NULL)
		return false;
	*value = '\0';
	value += 3;
	if (strcmp(value, "\"\"") == 0) {
		v.tag = BER_OCTETS;
		return put(out, line, &v);
	}
	if ((colon = strstr(value, ": ")) == NULL && (colon = strchr(value, ':')) == NULL)
		return false;
	*colon++ = '\0';
	colon += *colon == ' ';
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		char *inner;

		if (strcmp(value, types[i].name) != 0)
			continue;
		v.tag = types[i].tag;
		if (value[0] == 'H')
			return hex_read(colon, &v) && put(out, line, &v);
		if (v.tag == BER_OCTETS)
			return quoted_read(colon, &v) && put(out, line, &v);
		if ((v.tag == BER_INTEGER || v.tag == BER_TIMETICKS) && (inner = strchr(colon, '(')) != NULL)
			colon = inner + 1;			/* "up(1)", "(12345) 0:02:03.45" */
		return value_read(colon, 0, &v) && put(out, line, &v);
	}
	return false;
}

static bool
begins_object(const char *line)
{
	return line[0] == '.' && isdigit((unsigned char)line[1]) && strstr(line, " = ") != NULL;
}

/* A value goes on until the next line that begins with an OID. */
static void
walk_read(FILE *f, struct objects *out, size_t *bad)
{
	char *line = NULL, *whole = NULL;
	size_t cap = 0, n = 0;
	ssize_t got;

	while ((got = getline(&line, &cap, f)) > 0) {
		if (begins_object(line) && whole != NULL) {
			whole[n - (n > 0 && whole[n - 1] == '\n')] = '\0';
			*bad += !walk_line(whole, out);
			n = 0;
		}
		if ((whole = realloc(whole, n + (size_t)got + 1)) == NULL)
			exit(1);
		memcpy(whole + n, line, (size_t)got + 1);
		n += (size_t)got;
	}
	if (whole != NULL && n > 0) {
		whole[n - (whole[n - 1] == '\n')] = '\0';
		*bad += !walk_line(whole, out);
	}
	free(line);
	free(whole);
}

static void
snmprec_read(FILE *f, struct objects *out, size_t *bad)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t got;

	while ((got = getline(&line, &cap, f)) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] != '\0' && line[0] != '#')
			*bad += !snmprec_line(line, out);
	}
	free(line);
}

int
recording_read(const char *path, struct objects *out, size_t *bad)
{
	FILE *f = fopen(path, "r");
	size_t n = strlen(path);

	if (f == NULL)
		return -1;
	*bad = 0;
	if (n > 8 && strcmp(path + n - 8, ".snmprec") == 0)
		snmprec_read(f, out, bad);
	else
		walk_read(f, out, bad);
	objects_sort(out);
	fclose(f);
	return 0;
}
