package dev.ashlar.core.snapshot;

import dev.ashlar.core.BlockException;
import dev.ashlar.core.snapshot.GroupFinding.Kind;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Finds and settles what interrupted operations left on the disks of a group; the rules are S3–S5 of {@code docs/invariants.md}. */
final class GroupCheck {
    private final List<GroupMember> members;

    GroupCheck(List<GroupMember> members) {
        this.members = members;
    }

    List<GroupFinding> traces() throws BlockException {
        List<GroupFinding> findings = new ArrayList<>();
        for (String name : names(GroupOperation.BEFORE)) {
            findings.add(applyTrace(name));
        }
        for (String name : names(GroupOperation.DELETING)) {
            findings.add(deleteTrace(name));
        }
        return findings;
    }

    List<GroupFinding> check(String name) throws BlockException {
        List<GroupFinding> findings = traces();
        boolean deleting = false;
        for (GroupFinding finding : findings) {
            deleting |= finding.snapshot().equals(name) && finding.kind() == Kind.DELETE_INTERRUPTED;
        }
        List<GroupMember> having = having(name);
        if (!deleting && !having.isEmpty() && having.size() < members.size()) {
            findings.add(finding(Kind.INCOMPLETE, name, having));
        }
        return findings;
    }

    List<GroupFinding> repair(String name) throws BlockException {
        List<GroupFinding> settled = new ArrayList<>();
        List<GroupFinding> found = check(name);
        while (!found.isEmpty()) {
            GroupFinding next = found.get(0);
            settle(next);
            settled.add(next);
            found = check(name);
        }
        return settled;
    }

    private void settle(GroupFinding finding) throws BlockException {
        String name = finding.snapshot();
        switch (finding.kind()) {
            case INCOMPLETE -> deleteAll(name);
            case APPLY_INTERRUPTED -> {
                new GroupOperation(members, name).backToBefore();
                deleteAll(GroupOperation.BEFORE + name);
            }
            case APPLY_LEFTOVER -> deleteAll(GroupOperation.BEFORE + name);
            case DELETE_INTERRUPTED -> {
                for (GroupMember member : members) {
                    member.rename(GroupOperation.DELETING + name, name);
                }
            }
            case DELETE_LEFTOVER -> deleteAll(GroupOperation.DELETING + name);
        }
    }

    private void deleteAll(String name) throws BlockException {
        for (GroupMember member : members) {
            member.deleteAll(name);
        }
    }

    private GroupFinding applyTrace(String name) throws BlockException {
        List<GroupMember> having = having(GroupOperation.BEFORE + name);
        return finding(having.size() == members.size() ? Kind.APPLY_INTERRUPTED : Kind.APPLY_LEFTOVER, name, having);
    }

    private GroupFinding deleteTrace(String name) throws BlockException {
        boolean somewhere = !having(name).isEmpty();
        List<GroupMember> marked = having(GroupOperation.DELETING + name);
        return finding(somewhere ? Kind.DELETE_INTERRUPTED : Kind.DELETE_LEFTOVER, name, marked);
    }

    private GroupFinding finding(Kind kind, String name, List<GroupMember> having) {
        List<String> present = new ArrayList<>();
        List<String> absent = new ArrayList<>();
        for (GroupMember member : members) {
            (having.contains(member) ? present : absent).add(member.name());
        }
        return new GroupFinding(kind, name, present, absent);
    }

    private List<GroupMember> having(String name) throws BlockException {
        List<GroupMember> having = new ArrayList<>();
        for (GroupMember member : members) {
            if (member.find(name).isPresent()) {
                having.add(member);
            }
        }
        return having;
    }

    /** What stands behind a reserved prefix on any of the disks. */
    private Set<String> names(String prefix) throws BlockException {
        Set<String> names = new LinkedHashSet<>();
        for (GroupMember member : members) {
            for (SnapshotInfo snapshot : member.snapshots().list()) {
                if (snapshot.name().startsWith(prefix)) {
                    names.add(snapshot.name().substring(prefix.length()));
                }
            }
        }
        return names;
    }
}
