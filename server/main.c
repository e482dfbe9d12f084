/* server/main.c - the program: all of it is a command. */
#include "server/cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
