// JSch. Arguments: port, login, key file, what to do, with what.

import com.jcraft.jsch.ChannelSftp;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.Session;
import java.util.Vector;

class Jsch {
    public static void main(String[] words) throws Exception {
        String act = words[3], one = words[4], other = words[5];
        JSch jsch = new JSch();
        jsch.addIdentity(System.getenv("SLUIS_TEST_KEY")); // it cannot read the other
        Session session = jsch.getSession(words[1], "127.0.0.1", Integer.parseInt(words[0]));
        session.setConfig("StrictHostKeyChecking", "no");
        session.connect(20_000);
        try {
            ChannelSftp sftp = (ChannelSftp) session.openChannel("sftp");
            sftp.connect(20_000);
            switch (act) {
                case "list" -> sftp.ls(one, entry -> {
                    System.out.println(entry.getFilename());
                    return ChannelSftp.LsEntrySelector.CONTINUE;
                });
                case "stat" -> System.out.println(sftp.stat(one).getSize());
                case "get" -> sftp.get(one, other);
                case "folder" -> {
                    Vector<?> entries = sftp.ls(one);
                    for (Object found : entries) {
                        ChannelSftp.LsEntry entry = (ChannelSftp.LsEntry) found;
                        if (!entry.getAttrs().isDir()) {
                            sftp.get(one + "/" + entry.getFilename(), other);
                        }
                    }
                }
                case "resume" -> sftp.get(one, other, null, ChannelSftp.RESUME);
                case "put" -> sftp.put(one, other);
                case "reput" -> sftp.put(one, other, null, ChannelSftp.RESUME);
                case "rename", "replace" -> sftp.rename(one, other);
                case "remove" -> sftp.rm(one);
                case "fetch-remove" -> {
                    sftp.get(one, "fetched.xml");
                    sftp.rm(one);
                }
                case "fetch-rename" -> {
                    sftp.get(one, "fetched.xml");
                    sftp.rename(one, other);
                }
                default -> throw new IllegalArgumentException(act);
            }
            sftp.exit();
        } finally {
            session.disconnect();
        }
    }
}
