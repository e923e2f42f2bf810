/*-------------------------------------------------------------------------
 *
 * powerctl.c
 *	  Sends one command to a powerdisk and prints the answer.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void
usage(FILE *to)
{
	fputs("powerctl - commands for a powerdisk\n"
		  "\n"
		  "Usage: powerctl SOCKET COMMAND\n"
		  "\n"
		  "  status           what the disk did so far, as key=value lines\n"
		  "  cut              cut the power now\n"
		  "  power-on         give it back\n"
		  "  set NAME VALUE   change a setting, see powerdisk --help\n"
		  "  flush-log        write out the request log as far as it goes\n"
		  "  wait-off SECONDS wait until the power is off; exit status 1 when it is\n"
		  "                   still on after that time\n"
		  "\n"
		  "SOCKET is IMAGE.ctl unless powerdisk was told otherwise.  Exit status 0 when\n"
		  "the command worked, 1 when it was refused, 2 when the disk cannot be reached.\n",
		  to);
}

static int
reach(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int			fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (strlen(path) < sizeof(addr.sun_path))
		strcpy(addr.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *) &addr, sizeof(addr)) != 0)
	{
		fprintf(stderr, "powerctl: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

/*
 * Sends the line, copies the answer to "to" (or nowhere) and returns the exit
 * status.  With "look_for", *found tells whether a line of the answer was that.
 */
static int
send_command(const char *path, const char *line, FILE *to, const char *look_for, int *found)
{
	int			fd = reach(path);
	FILE	   *stream = fdopen(fd, "r+");
	char		answer[256];
	int			rc = 2;

	fprintf(stream, "%s\n", line);
	fflush(stream);
	while (fgets(answer, sizeof(answer), stream) != NULL)
	{
		if (look_for && strcmp(answer, look_for) == 0)
			*found = 1;
		if (strcmp(answer, "ok\n") == 0)
			rc = 0;
		else if (strncmp(answer, "error:", 6) == 0)
		{
			rc = 1;
			fprintf(stderr, "powerctl: %s: %s", line, answer + 7);
		}
		else if (to)
			fputs(answer, to);
	}
	fclose(stream);
	return rc;
}

static int
wait_off(const char *path, const char *seconds)
{
	long		tries = strtol(seconds, NULL, 10) * 50;
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};

	for (;;)
	{
		int			off = 0;
		int			rc = send_command(path, "status", NULL, "power=off\n", &off);

		if (rc != 0)
			return rc;
		if (off)
			return 0;
		if (tries-- <= 0)
			return 1;
		nanosleep(&pause, NULL);
	}
}

int
main(int argc, char **argv)
{
	char		line[256] = "";

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
	{
		usage(stdout);
		return 0;
	}
	if (argc < 3)
	{
		usage(stderr);
		return 2;
	}
	if (argc == 4 && strcmp(argv[2], "wait-off") == 0)
		return wait_off(argv[1], argv[3]);
	for (int i = 2; i < argc; i++)
	{
		if (strlen(line) + strlen(argv[i]) + 2 > sizeof(line))
			return 2;
		if (i > 2)
			strcat(line, " ");
		strcat(line, argv[i]);
	}
	return send_command(argv[1], line, stdout, NULL, NULL);
}
