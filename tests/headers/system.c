/*
 * The headers of the system domain, as a program sees them: numbers and places from
 * kernel-control.md and kernel-event.md.  Nothing runs: compiling is the test.
 */
#include "numbers.h"

#include <sys/kern_control.h>
#include <sys/kern_event.h>
#include <sys/socket.h>
#include <sys/sys_domain.h>

/* ---- sockets --------------------------------------------------------------------------- */

IS(AF_SYSTEM, 32);
IS(PF_SYSTEM, 32);
IS(SYSPROTO_EVENT, 1);
IS(SYSPROTO_CONTROL, 2);
IS(AF_SYS_CONTROL, 2);
IS(SO_NREAD, 0x1020);
IS(SO_NUMRCVPKT, 0x1112);
IS(SO_NOSIGPIPE, 0x1022);
IS(SO_DONTTRUNC, 0x2000);
SIZE(struct sockaddr_sys, 32);
FIELD(struct sockaddr_sys, ss_len, 0, 1);
FIELD(struct sockaddr_sys, ss_family, 1, 1);
FIELD(struct sockaddr_sys, ss_sysaddr, 2, 2);
FIELD(struct sockaddr_sys, ss_reserved, 4, 28);

/* ---- controls -------------------------------------------------------------------------- */

IS(MAX_KCTL_NAME, 96);
IS(KEV_CTL_SUBCLASS, 2);
IS(KEV_CTL_REGISTERED, 1);
IS(KEV_CTL_DEREGISTERED, 2);
IS(CTLIOCGCOUNT, 0x40044e02);
IS(CTLIOCGINFO, 0xc0644e03);
SIZE(struct sockaddr_ctl, 32);
FIELD(struct sockaddr_ctl, sc_len, 0, 1);
FIELD(struct sockaddr_ctl, sc_family, 1, 1);
FIELD(struct sockaddr_ctl, ss_sysaddr, 2, 2);
FIELD(struct sockaddr_ctl, sc_id, 4, 4);
FIELD(struct sockaddr_ctl, sc_unit, 8, 4);
FIELD(struct sockaddr_ctl, sc_reserved, 12, 20);
SIZE(struct ctl_info, 100);
FIELD(struct ctl_info, ctl_id, 0, 4);
FIELD(struct ctl_info, ctl_name, 4, 96);
SIZE(struct ctl_event_data, 8);
FIELD(struct ctl_event_data, ctl_id, 0, 4);
FIELD(struct ctl_event_data, ctl_unit, 4, 4);
SIZE(struct kctlstat, 112);
FIELD(struct kctlstat, kcs_reg_total, 0, 8);
FIELD(struct kctlstat, kcs_reg_count, 8, 8);
FIELD(struct kctlstat, kcs_pcbcount, 16, 8);
FIELD(struct kctlstat, kcs_gencnt, 24, 8);
FIELD(struct kctlstat, kcs_connections, 32, 8);
FIELD(struct kctlstat, kcs_conn_fail, 40, 8);
FIELD(struct kctlstat, kcs_send_fail, 48, 8);
FIELD(struct kctlstat, kcs_send_list_fail, 56, 8);
FIELD(struct kctlstat, kcs_enqueue_fail, 64, 8);
FIELD(struct kctlstat, kcs_enqueue_fullsock, 72, 8);
FIELD(struct kctlstat, kcs_bad_kctlref, 80, 8);
FIELD(struct kctlstat, kcs_tbl_size_too_big, 88, 8);
FIELD(struct kctlstat, kcs_enqdata_mb_alloc_fail, 96, 8);
FIELD(struct kctlstat, kcs_enqdata_sbappend_fail, 104, 8);

/* ---- events ---------------------------------------------------------------------------- */

IS(KEV_ANY_VENDOR, 0);
IS(KEV_ANY_CLASS, 0);
IS(KEV_ANY_SUBCLASS, 0);
IS(KEV_VENDOR_APPLE, 1);
IS(KEV_NETWORK_CLASS, 1);
IS(KEV_IOKIT_CLASS, 2);
IS(KEV_SYSTEM_CLASS, 3);
IS(KEV_APPLESHARE_CLASS, 4);
IS(KEV_FIREWALL_CLASS, 5);
IS(KEV_IEEE80211_CLASS, 6);
IS(KEV_NKE_CLASS, 7);
IS(KEV_INET_SUBCLASS, 1);
IS(KEV_DL_SUBCLASS, 2);
IS(KEV_INET6_SUBCLASS, 6);
IS(KEV_INET_NEW_ADDR, 1);
IS(KEV_INET_CHANGED_ADDR, 2);
IS(KEV_INET_ADDR_DELETED, 3);
IS(KEV_INET_SIFDSTADDR, 4);
IS(KEV_INET_SIFBRDADDR, 5);
IS(KEV_INET_SIFNETMASK, 6);
IS(KEV_INET_ARPCOLLISION, 7);
IS(KEV_INET_PORTINUSE, 8);
IS(KEV_INET_ARPRTRFAILURE, 9);
IS(KEV_INET_ARPRTRALIVE, 10);
IS(KEV_DL_SIFFLAGS, 1);
IS(KEV_DL_SIFMETRICS, 2);
IS(KEV_DL_SIFMTU, 3);
IS(KEV_DL_SIFPHYS, 4);
IS(KEV_DL_SIFMEDIA, 5);
IS(KEV_DL_SIFGENERIC, 6);
IS(KEV_DL_ADDMULTI, 7);
IS(KEV_DL_DELMULTI, 8);
IS(KEV_DL_IF_ATTACHED, 9);
IS(KEV_DL_IF_DETACHING, 10);
IS(KEV_DL_IF_DETACHED, 11);
IS(KEV_DL_LINK_OFF, 12);
IS(KEV_DL_LINK_ON, 13);
IS(KEV_DL_PROTO_ATTACHED, 14);
IS(KEV_DL_PROTO_DETACHED, 15);
IS(KEV_DL_LINK_ADDRESS_CHANGED, 16);
IS(KEV_DL_WAKEFLAGS_CHANGED, 17);
IS(KEV_DL_IF_IDLE_ROUTE_REFCNT, 18);
IS(KEV_DL_IFCAP_CHANGED, 19);
IS(KEV_DL_LINK_QUALITY_METRIC_CHANGED, 20);
IS(KEV_DL_NODE_PRESENCE, 21);
IS(KEV_DL_NODE_ABSENCE, 22);
IS(KEV_DL_PRIMARY_ELECTED, 23);
IS(KEV_DL_ISSUES, 24);
IS(KEV_DL_IFDELEGATE_CHANGED, 25);
IS(KEV_DL_AWDL_RESTRICTED, 26);
IS(KEV_DL_AWDL_UNRESTRICTED, 27);
IS(KEV_DL_RRC_STATE_CHANGED, 28);
IS(KEV_DL_QOS_MODE_CHANGED, 29);
IS(KEV_DL_LOW_POWER_MODE_CHANGED, 30);
IS(KEV_INET6_NEW_USER_ADDR, 1);
IS(KEV_INET6_CHANGED_ADDR, 2);
IS(KEV_INET6_ADDR_DELETED, 3);
IS(KEV_INET6_NEW_LL_ADDR, 4);
IS(KEV_INET6_NEW_RTADV_ADDR, 5);
IS(KEV_INET6_DEFROUTER, 6);
IS(KEV_INET6_REQUEST_NAT64_PREFIX, 7);
IS(SIOCGKEVID, 0x40046501);
IS(SIOCSKEVFILT, 0x800c6502);
IS(SIOCGKEVFILT, 0x400c6503);
IS(SIOCGKEVVENDOR, 0xc0cc6504);
IS(KEV_VENDOR_CODE_MAX_STR_LEN, 200);
IS(KEV_MSG_HEADER_SIZE, 24);
SIZE(struct kern_event_msg, 28);
FIELD(struct kern_event_msg, total_size, 0, 4);
FIELD(struct kern_event_msg, vendor_code, 4, 4);
FIELD(struct kern_event_msg, kev_class, 8, 4);
FIELD(struct kern_event_msg, kev_subclass, 12, 4);
FIELD(struct kern_event_msg, id, 16, 4);
FIELD(struct kern_event_msg, event_code, 20, 4);
FIELD(struct kern_event_msg, event_data, 24, 4);
SIZE(struct kev_request, 12);
FIELD(struct kev_request, vendor_code, 0, 4);
FIELD(struct kev_request, kev_class, 4, 4);
FIELD(struct kev_request, kev_subclass, 8, 4);
SIZE(struct kev_vendor_code, 204);
FIELD(struct kev_vendor_code, vendor_code, 0, 4);
FIELD(struct kev_vendor_code, vendor_string, 4, 200);
SIZE(struct net_event_data, 24);
FIELD(struct net_event_data, if_family, 0, 4);
FIELD(struct net_event_data, if_unit, 4, 4);
FIELD(struct net_event_data, if_name, 8, 16);
SIZE(struct kevtstat, 56);
FIELD(struct kevtstat, kes_pcbcount, 0, 8);
FIELD(struct kevtstat, kes_gencnt, 8, 8);
FIELD(struct kevtstat, kes_badvendor, 16, 8);
FIELD(struct kevtstat, kes_toobig, 24, 8);
FIELD(struct kevtstat, kes_nomem, 32, 8);
FIELD(struct kevtstat, kes_fullsock, 40, 8);
FIELD(struct kevtstat, kes_posted, 48, 8);

/* what only kexts see is not there: programs may have names of their own for it */
typedef int mbuf_t, kern_ctl_ref, ctl_send_func;
