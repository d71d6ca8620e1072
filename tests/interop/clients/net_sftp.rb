# Ruby's net-sftp. Arguments: port, login, key file, what to do, with what.
require "net/sftp"

port, login, key, act, one, other = ARGV
options = { port: port.to_i, keys: [key], keys_only: true, config: false, verify_host_key: :never,
            non_interactive: true }
Net::SFTP.start("127.0.0.1", login, options) do |sftp|
  case act
  when "list" then sftp.dir.foreach(one) { |entry| puts entry.name }
  when "stat" then puts sftp.stat!(one).size
  when "get" then sftp.download!(one, other)
  when "folder" then sftp.download!(one, other, recursive: true)
  when "resume"
    # It has no resuming of its own; a script reads on.
    sftp.file.open(one) do |remote|
      remote.pos = File.size(other)
      File.open(other, "ab") { |file| file.write(remote.read) }
    end
  when "put" then sftp.upload!(one, other)
  when "rename", "replace" then sftp.rename!(one, other)
  when "remove" then sftp.remove!(one)
  when "fetch-remove"
    sftp.download!(one, "fetched.xml")
    sftp.remove!(one)
  when "fetch-rename"
    sftp.download!(one, "fetched.xml")
    sftp.rename!(one, other)
  end
end
