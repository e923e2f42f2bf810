/*-------------------------------------------------------------------------
 *
 * filecopy.h
 *	  Sessions that copy files of the running server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMGR_ATOMIC_FILECOPY_H
#define SMGR_ATOMIC_FILECOPY_H

extern void sa_filecopy_asked(void);
extern void sa_filecopy_warn_rewound(void);

#endif							/* SMGR_ATOMIC_FILECOPY_H */
