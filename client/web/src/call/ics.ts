// A planned meeting as a calendar file (RFC 5545).

import { harmless } from './names';

export interface Planned {
  /** `ID@HUB`. */
  meeting: string;
  title: string;
  startsMs: number;
  lengthS: number;
  link: string;
  organiser: string;
}

const LONGEST_LINE = 75;

export function calendarFile(planned: Planned, nowMs: number): string {
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//Conclave//Conclave//EN',
    'METHOD:PUBLISH',
    'BEGIN:VEVENT',
    `UID:${planned.meeting}`,
    `DTSTAMP:${stamp(nowMs)}`,
    `DTSTART:${stamp(planned.startsMs)}`,
    `DTEND:${stamp(planned.startsMs + planned.lengthS * 1_000)}`,
    `SUMMARY:${text(planned.title)}`,
    `DESCRIPTION:${text(planned.link)}`,
    `URL:${harmless(planned.link).replace(/\s/gu, '')}`,
    `ORGANIZER;CN=${parameter(planned.organiser)}:mailto:${planned.organiser.replace(/[^\w.@+:-]/gu, '')}`,
    'END:VEVENT',
    'END:VCALENDAR',
  ];
  return `${lines.map(folded).join('\r\n')}\r\n`;
}

/** Hands a file to the person. */
export function download(name: string, type: string, content: string): void {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const anchor = document.createElement('a');
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(address);
}

/** RFC 5545 §3.3.5, form 2: universal time. */
function stamp(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/gu, '');
}

/** RFC 5545 §3.3.11. */
function text(value: string): string {
  return harmless(value).replace(/[\\;,]/gu, '\\$&').replace(/\r?\n/gu, '\\n');
}

function parameter(value: string): string {
  return `"${harmless(value).replace(/["\r\n]/gu, '')}"`;
}

/** RFC 5545 §3.1: no line is longer than 75 octets, and none is broken within a character. */
function folded(line: string): string {
  const parts: string[] = [];
  let part = '';
  let octets = 0;
  for (const letter of line) {
    const size = new TextEncoder().encode(letter).length;
    if (octets + size > LONGEST_LINE) {
      parts.push(part);
      part = ' ';
      octets = 1;
    }
    part += letter;
    octets += size;
  }
  return [...parts, part].join('\r\n');
}
