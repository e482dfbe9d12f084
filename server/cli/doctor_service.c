/*
 * server/cli/doctor_service.c - as what does a registry ask for tokens: is that
 * a service of ours, and the one that it ought to be?
 *
 * A registry takes tokens for the service that its auth.token.service names,
 * whichever of ours that is: so one that has another registry's name takes that
 * one's tokens, and nothing fails. What it ought to be called --service says;
 * else its host does, where a service is called after it.
 */
#include "server/cli/doctor.h"

#include <string.h>

#include "server/http/params.h"

static bool same_but_blanks(struct str a, struct str b)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < a.len && a.at[i] && strchr(" \t-_.", a.at[i]))
			i++;
		while (j < b.len && b.at[j] && strchr(" \t-_.", b.at[j]))
			j++;
		if (i == a.len || j == b.len)
			return i == a.len && j == b.len;
		if (ascii_lower(a.at[i++]) != ascii_lower(b.at[j++]))
			return false;
	}
}

/* The one that --service names; NULL: there is none, or it is not said. */
static const struct config_service *meant(const struct doctor *d)
{
	return d->service_meant ? config_service(d->call->config,
						 str_of(d->service_meant))
				: NULL;
}

/* The one that is called as the registry is addressed. */
static const struct config_service *called_after(struct doctor *d)
{
	const struct config *config = d->call->config;
	struct str url = str_of(d->url);

	for (unsigned i = 0; i < config->services_count; i++) {
		struct str name = str_of(config->services[i].name);

		if (str_eq_nocase(name, url_host(url)) ||
		    str_eq_nocase(name, url_host_port(d, url)))
			return &config->services[i];
	}
	return NULL;
}

static const char *write_service(struct doctor *d,
				 const struct config_service *service)
{
	return doctor_text(d,
			   "write auth.token.service: %s in the registry's "
			   "config.yml, and restart it",
			   service->name);
}

bool doctor_is_other(const struct doctor *d)
{
	return d->service_meant &&
	       !str_eq(d->service, str_of(d->service_meant));
}

/* It claims `claimed`, which is ours, or NULL. */
static enum health found_other(struct doctor *d,
			       const struct config_service *claimed)
{
	const struct config_service *ought = meant(d);

	if (!ought)
		return doctor_found(
			d, HEALTH_FAIL,
			doctor_text(d, "it has " STR_FMT,
				    STR_ARG(call_services(d->call))),
			"--service %.200s: no service has that "
			"name",
			d->service_meant);
	return doctor_found(d, HEALTH_FAIL, write_service(d, ought),
			    "the registry calls itself '%.*s'%s, it ought to "
			    "be '%s' (%s)",
			    SHOW(d->service),
			    claimed ? doctor_text(d,
						  ", which is another service "
						  "(%s), and takes that one's "
						  "tokens",
						  claimed->place)
				    : "",
			    ought->name, ought->place);
}

static enum health found_service(struct doctor *d,
				 const struct config_service *claimed)
{
	const struct config_service *likely = called_after(d);

	if (d->service_meant || d->call->config->services_count == 1)
		return doctor_found(d, HEALTH_OK, NULL, "'%s' is configured",
				    claimed->name);
	if (likely && likely != claimed)
		return doctor_found(
			d, HEALTH_WARN,
			doctor_text(d,
				    "%s; or say --service %s, if it is right",
				    write_service(d, likely), claimed->name),
			"the registry calls itself '%s' (%s) and takes that "
			"one's tokens; '%s' (%s) is called as it is addressed",
			claimed->name, claimed->place, likely->name,
			likely->place);
	return doctor_found(d, HEALTH_OK, NULL,
			    "'%s' is configured (%s), one of %u: add --service "
			    "NAME to see whether it is the right one",
			    claimed->name, claimed->place,
			    d->call->config->services_count);
}

static enum health found_no_service(struct doctor *d)
{
	const struct config *config = d->call->config;
	const struct config_service *first = called_after(d), *near = NULL;

	for (unsigned i = 0; i < config->services_count; i++)
		if (same_but_blanks(d->service,
				    str_of(config->services[i].name)))
			near = &config->services[i];
	if (near)
		first = near;
	if (!first)
		first = &config->services[0];
	return doctor_found(
		d, HEALTH_FAIL,
		doctor_text(d,
			    "write auth.token.service: %s in the registry's "
			    "config.yml and restart it, or change %s and "
			    "reload",
			    first->name, first->place),
		"the registry calls itself '%.*s', and no service has that "
		"name%s",
		SHOW(d->service),
		near ? doctor_text(d,
				   "; '%s' differs in case, blanks or hyphens",
				   near->name)
		     : "");
}

enum health check_service(struct doctor *d)
{
	const struct config *config = d->call->config;
	const struct config_service *claimed;
	const struct config_service *ought = meant(d);

	if (!ought)
		ought = called_after(d);
	if (!d->service.len)
		return doctor_found(
			d, HEALTH_FAIL,
			write_service(d, ought ? ought : &config->services[0]),
			"the registry's challenge names no service");
	claimed = config_service(config, d->service);
	if (doctor_is_other(d))
		return found_other(d, claimed);
	return claimed ? found_service(d, claimed) : found_no_service(d);
}

bool doctor_realm_service(struct doctor *d, struct str query, struct str *out)
{
	struct params params;

	*out = (struct str) { 0 };
	if (params_parse(query, &d->call->arena, &params, NULL))
		return false;
	*out = params_first(&params, STR("service"));
	return out->len && !str_eq(*out, d->service);
}
