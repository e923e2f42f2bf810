/*-------------------------------------------------------------------------
 *
 * readback.h
 *	  What a read of a file says of storage.
 *
 * Include this to know whether a page that looks right is so on storage.  It
 * needs no server header.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_READBACK_H
#define SMGR_ATOMIC_READBACK_H

#include <stdbool.h>
#include <stdint.h>

extern bool sa_readback_trusted(int fd);
extern bool sa_readback_cached(int fd, uint64_t offset, uint64_t length);

#endif							/* SMGR_ATOMIC_READBACK_H */
