//! What a library's file says of itself, read without mapping it.

#[cfg(not(target_os = "linux"))]
use crate::file::FileError;
use attune_plugin_api::handshake::Handshake;

/// As many bytes as a handshake has.
pub(crate) type HandshakeBytes = [u8; size_of::<Handshake>()];

/// What was read of a library that is whole.
pub(crate) enum Exported {
    /// The bytes under the handshake's name, zeros where the file ends first.
    Handshake(Box<HandshakeBytes>),
    /// It exports nothing of that name.
    Nothing,
    /// Only the system's loader can tell on this platform.
    #[cfg(not(target_os = "linux"))]
    Unknown,
}

#[cfg(target_os = "linux")]
pub(crate) use linux::inspect;

/// Elsewhere the system's loader checks the file itself.
#[cfg(not(target_os = "linux"))]
pub(crate) fn inspect(_bytes: &[u8]) -> Result<Exported, FileError> {
    Ok(Exported::Unknown)
}

#[cfg(target_os = "linux")]
mod linux {
    use super::{Exported, HandshakeBytes};
    use crate::file::FileError;
    use attune_plugin_api::handshake;
    use object::read::elf::{ElfFile64, FileHeader, ProgramHeader, SectionHeader, Sym};
    use object::{NativeEndian, elf};

    /// The processor this program runs on; none where the check is left to the system's loader.
    const MACHINE: Option<elf::Machine> = if cfg!(target_arch = "x86_64") {
        Some(elf::EM_X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(elf::EM_AARCH64)
    } else {
        None
    };

    /// Checks that the library is one for this machine and is complete, and reads its handshake.
    pub(crate) fn inspect(bytes: &[u8]) -> Result<Exported, FileError> {
        check_complete(bytes)?;
        let file = ElfFile64::<NativeEndian>::parse(bytes).map_err(not_a_library)?;
        exported(&file)
    }

    /// Every part that the headers name must lie inside the file: the dynamic linker maps them
    /// without looking, and a missing page is a SIGBUS.
    fn check_complete(bytes: &[u8]) -> Result<(), FileError> {
        // A cut file can fail to parse at all, so its own word on where the section table ends (the
        // last thing in a linked library) comes first.
        let header = elf::FileHeader64::<NativeEndian>::parse(bytes).map_err(not_a_library)?;
        let endian = header.endian().map_err(not_a_library)?;
        let found = bytes.len() as u64;
        let complete = |needed: u64| {
            if needed > found {
                return Err(FileError::Truncated { needed, found });
            }
            Ok(())
        };
        let table = u64::from(header.e_shentsize(endian)) * u64::from(header.e_shnum(endian));
        complete(header.e_shoff(endian).saturating_add(table))?;

        let file = ElfFile64::<NativeEndian>::parse(bytes).map_err(not_a_library)?;
        if file.elf_header().e_type(endian) != elf::ET_DYN {
            return Err(FileError::NotALibrary("an ELF file of another type".into()));
        }
        if MACHINE.is_some_and(|machine| machine != file.elf_header().e_machine(endian)) {
            return Err(FileError::NotALibrary("for another processor".into()));
        }
        for segment in file.elf_program_headers() {
            let (offset, size) = (segment.p_offset(endian), segment.p_filesz(endian));
            complete(offset.saturating_add(size))?;
        }
        for section in file.elf_section_table().iter() {
            if let Some((offset, size)) = section.file_range(endian) {
                complete(offset.saturating_add(size))?;
            }
        }
        Ok(())
    }

    /// What the dynamic linker would find under the handshake's name: the same symbol table, and
    /// the same bytes, found through the segments that it would map.
    fn exported(file: &ElfFile64<'_, NativeEndian>) -> Result<Exported, FileError> {
        let (endian, data) = (file.endian(), file.data());
        let symbols = file.elf_dynamic_symbol_table();
        if symbols.is_empty() {
            return Err(FileError::NotALibrary("it exports nothing".into()));
        }
        let is_handshake = |symbol: &&elf::Sym64<NativeEndian>| {
            let name = symbols.symbol_name(endian, symbol);
            !symbol.is_undefined(endian)
                && symbol.st_bind() != elf::STB_LOCAL
                && name.is_ok_and(|name| name == handshake::SYMBOL.as_bytes())
        };
        let Some(symbol) = symbols.iter().find(is_handshake) else {
            return Ok(Exported::Nothing);
        };
        let address = symbol.st_value(endian);
        let mut bytes: HandshakeBytes = [0; _];
        for segment in file.elf_program_headers() {
            if segment.p_type(endian) != elf::PT_LOAD {
                continue;
            }
            let mapped = segment.data(endian, data).unwrap_or_default();
            let rest = address
                .checked_sub(segment.p_vaddr(endian))
                .and_then(|from| mapped.get(usize::try_from(from).ok()?..));
            if let Some(rest) = rest {
                let there = rest.len().min(bytes.len());
                bytes[..there].copy_from_slice(&rest[..there]);
                break;
            }
        }
        Ok(Exported::Handshake(Box::new(bytes)))
    }

    fn not_a_library(error: object::Error) -> FileError {
        FileError::NotALibrary(error.to_string())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use attune_plugin_api::handshake;

    /// The test program itself is a position-independent ELF, so it stands in for a library.
    fn this_program() -> Vec<u8> {
        std::fs::read(std::env::current_exe().unwrap()).unwrap()
    }

    #[test]
    fn a_library_cut_anywhere_is_refused() {
        let whole = this_program();
        assert!(matches!(inspect(&whole), Ok(Exported::Nothing)));
        for tenths in 0..10 {
            let cut = &whole[..whole.len() * tenths / 10];
            assert!(inspect(cut).is_err(), "{tenths}/10 was accepted");
        }
        let error = inspect(&whole[..whole.len() - 1]).err().unwrap();
        assert!(error.to_string().contains("cut off"), "{error}");
    }

    #[test]
    fn a_library_of_another_kind_is_refused() {
        let table: &[(usize, u16, &str)] = &[
            (16, object::elf::ET_EXEC.0, "an ELF file of another type"),
            (18, object::elf::EM_S390.0, "for another processor"),
        ];
        for (at, value, expected) in table {
            let mut bytes = this_program();
            bytes[*at..at + 2].copy_from_slice(&value.to_ne_bytes());
            let error = inspect(&bytes).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    /// Wherever a file is damaged, the answer is an error or a handshake that is none, never a panic.
    #[test]
    fn a_damaged_file_is_survived() {
        let mut bytes = this_program();
        let (length, headers) = (bytes.len(), 2048);
        let sparsely = (0..length).step_by(length / 500);
        for at in (0..headers).chain(length - headers..length).chain(sparsely) {
            bytes[at] ^= 0xff;
            if let Ok(Exported::Handshake(found)) = inspect(&bytes) {
                assert_ne!(found[..16], handshake::MAGIC, "byte {at}");
            }
            bytes[at] ^= 0xff;
        }
    }
}
